"""`python -m services.notifications api | worker | migrate | all`."""

from services.notifications.app import describe
from shared.process import main

if __name__ == "__main__":
    main(describe)
