"""Run it: `python -m services.payments api | worker | migrate | all`."""

from services.payments.app import describe
from shared.process import main

if __name__ == "__main__":
    main(describe)
