"""One module per provider. An adapter never imports another adapter."""
