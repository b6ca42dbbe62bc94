"""The contracts: facts between the services, and the APIs of each."""
