"""`python -m services.booking api | worker | migrate | all`."""

from services.booking.app import describe
from shared.process import main

if __name__ == "__main__":
    main(describe)
