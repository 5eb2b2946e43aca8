"""Checking a bundle by doing again what it claims: see ``verify`` for the claims, in their order."""

from converter.verification.case import Origin
from converter.verification.claim import Claim
from converter.verification.verify import Verified, verify_bundle

__all__ = ["Claim", "Origin", "Verified", "verify_bundle"]
