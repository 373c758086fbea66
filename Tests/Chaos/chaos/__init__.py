"""Real brokers and real clients under faults of processes, networks and disks, and an offline check of what the clients
saw."""
