"""Which intent a turn has, in English and Chinese."""
