"""The four services. Each owns its data and speaks to the others through facts on Kafka only."""
