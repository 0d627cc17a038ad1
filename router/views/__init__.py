"""What pages and streams show of conversations, desks, queues and reports. It reads and never writes."""
