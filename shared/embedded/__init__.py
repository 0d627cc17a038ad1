"""The servers Santral brings along: PostgreSQL and Kafka as children of one process. It never knows what is kept in them."""
