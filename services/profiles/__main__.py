"""Run this service: `python -m services.profiles api | worker | migrate | all`."""

from services.profiles.app import describe
from shared.process import main

if __name__ == "__main__":
    main(describe)
