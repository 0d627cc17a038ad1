"""The simulator: the production core of dispatch under a simulated clock. No second model of routing ever lives here."""
