"""The gateway: providers' posts and mail, verified and parsed, onto the log. It answers 2xx or 250 only when that is durable."""
