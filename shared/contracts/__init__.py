"""What the services tell each other: the envelope, the topics and one file of facts per speaker."""
