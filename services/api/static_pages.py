"""Pages and assets of the front end, with the headers that keep them safe."""
