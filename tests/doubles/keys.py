"""Signed keys for tests: a public key set, and tokens made with private keys that were thrown away
at once.
"""

PUBLIC_KEYS = {
    "keys": [
        {
            "x": "nKD7gfNskOiHo-eZRQms55zibKCRycBikuSxOyRvoK0",
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": "test-1",
            "alg": "EdDSA",
            "use": "sig",
        }
    ]
}

ACME = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJleHAiOjQxMDI0NDQ4MDAsInN1YiI6ImtleS0xIiwidGVuYW50IjoiYWNtZSJ9",
        "tbqGE7_dkxJVaVu6d0RQjljSZDUMwF5h8-cHldlm9MKl13W_1M6AQrjXfe_rOCAPEoD5cSr56chQel8fJ8F2DA",
    )
)
"""Good until the year 2100, for the tenant acme."""
NO_TENANT = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJleHAiOjQxMDI0NDQ4MDAsInN1YiI6ImtleS0yIn0",
        "Sz80fjmx6mvtU3l8BXgbeN52PTtBCvP9Qr7PJeQ_4ehlMBJqGvJDcV7MEyiDVOw2VVfcIidPpdg2L4XgF_ClDA",
    )
)
"""Good, but it names no tenant."""
EXPIRED = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJleHAiOjk3ODMwNzIwMCwic3ViIjoia2V5LTMiLCJ0ZW5hbnQiOiJhY21lIn0",
        "7sOheX1OwCUdbLdcjgNUJujJW3HeEBxaM5PHeDXNaZx1FUdkFRyuN157xSAbN8NxfWkWr5p1k8TPPsyFfMhJBQ",
    )
)
"""It ended in 2001."""
FOREIGN_ISSUER = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzb21lYm9keS1lbHNlIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJrZXktNCIsInRlbmFudCI6ImFjbWUifQ",
        "XGP_3N0tfPnsgdohzszYsoWgWZpE52vSnC6mtIjwAFIzu1Sf8PZrmxVoaW4PJxmbDnLkG517WxMQIrmOxsEtCQ",
    )
)
"""Signed well, issued by somebody else."""
FORGED = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJleHAiOjQxMDI0NDQ4MDAsInN1YiI6ImtleS01IiwidGVuYW50IjoiYWNtZSJ9",
        "8tQ-tbZD_yrKAFBngCNw0rSAPP4322BL0Ug0qd2pKVRP-OQsEfUjULb0GgG1Aff1LRJDZuB80o5cM9BMYGbRAg",
    )
)
"""Signed with another key."""
UNSIGNED = ".".join(
    (
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJleHAiOjQxMDI0NDQ4MDAsInRlbmFudCI6ImFjbWUifQ",
        "",
    )
)
"""Not signed at all."""
ENDLESS = ".".join(
    (
        "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3QtMSIsInR5cCI6IkpXVCJ9",
        "eyJpc3MiOiJzZW5zb3JpdW0iLCJ0ZW5hbnQiOiJhY21lIn0",
        "EFXxd21zkRoc2NRRfYcmXzmgcK6Sf9iHIFpOlnDLyo6If6V3qToQJolMAb97XDvRXmSumW-1ESeaR6qbNH7lCA",
    )
)
"""Signed well, but it never ends."""

WEBHOOK_KEYS = "dGhlc2UgYXJlIHRoaXJ0eS10d28gYnl0ZXMgb2Ygbm8gdXNl"
"""What `JOBS_WEBHOOK_KEYS` holds in tests."""
