"""From records of the log to conversations, queues and decisions, or to quarantine. It never offers work to anybody."""
