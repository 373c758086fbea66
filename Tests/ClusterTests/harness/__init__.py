"""Real brokers, real clients, and a raw Kafka connection for what no client would send."""
