"""The audit of a release: what lies in a folder, read anew as an attacker would, against the rules D1 to D20.

It takes nothing from the code that writes releases: only the thresholds of `seqsae.disclosure.policy` and the form of the
manifest (`seqsae.exports.audit.manifest`). `audit(folder)` reads the folder alone; with `run=` it also looks up the
identifiers, rare codes and extreme values of the run's own records, inside the server.
"""

from seqsae.exports.audit.auditing import audit
from seqsae.exports.audit.findings import Findings, Violation

__all__ = ["Findings", "Violation", "audit"]
