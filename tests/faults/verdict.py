"""Documents held against a model's: how many events are lost, how many counted twice, how many documents wrong.

Both sides are document id -> {"revision", "versions", "document"}, as a sample's model makes them and tests/readers.py reads them with
the stores' plain clients.
"""

import dataclasses

NOTES_MAX = 8


@dataclasses.dataclass
class Verdict:
    lost: int = 0  # events that the model has taken in, and the view has not
    doubled: int = 0  # events that a view's document counts beyond those that its versions account for
    wrong: int = 0  # documents that differ in any way; reads that were answered wrongly; promises seen broken meanwhile
    notes: list = dataclasses.field(default_factory=list)  # the first of them, in words

    def note(self, text):
        if len(self.notes) < NOTES_MAX:
            self.notes.append(text)

    def is_clean(self):
        return not (self.lost or self.doubled or self.wrong)


def compare(verdict, title, wanted, found, difference):
    """Counts into `verdict`. `difference`: tells where two values differ, in few words."""
    for identity in sorted(wanted.keys() | found.keys()):
        have, want = found.get(identity), wanted.get(identity)
        if have == want:
            continue
        verdict.wrong += 1
        if have is None:
            verdict.lost += want["revision"]
            verdict.note(f"{title}: document {identity} is missing")
        elif want is None:
            verdict.note(f"{title}: document {identity} should not be there")
        else:
            behind = sum(
                max(0, version - have["versions"].get(aggregate, 0)) for aggregate, version in want["versions"].items()
            )
            verdict.lost += max(behind, want["revision"] - have["revision"], 0)
            verdict.doubled += max(0, have["revision"] - (want["revision"] - behind))
            verdict.note(f"{title}: document {identity} differs: {difference(want, have)}")
