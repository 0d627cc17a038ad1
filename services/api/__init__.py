"""The API: REST under ``/v1``, every browser socket, the pages. Each request sees one workspace, the credential's."""
