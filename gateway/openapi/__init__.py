"""What can be called over HTTP, written down for programs as OpenAPI 3.1 and for people as a page:
made from the contract and from the dialects, so that neither can say what is not so.
"""
