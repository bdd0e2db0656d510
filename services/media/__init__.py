"""Untrusted bytes made bounded: the only place that decodes. It knows no room and no contract."""
