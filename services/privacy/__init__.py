"""Personal data at work: erasures, exports, redaction, retention, files that go. Who may ask for it is never decided here."""
