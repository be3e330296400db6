#!/usr/bin/env python3
"""What the view customer_bank_view has to be, given the records that were produced: a fold written by hand from the events'
meaning. It shares nothing with the engine and its Lua. It knows nothing of holding, either: it first looks through
the whole log for whose each account is, and a card's events then find their customer wherever they stand.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

KINDS = ("customer", "account", "loan", "card")
MEANS_SOMETHING = {
    "CustomerProfileUpdated",
    "AccountOpened",
    "AccountTransactionPerformed",
    "AccountClosed",
    "LoanRequested",
    "LoanStatusChanged",
    "CardIssued",
    "CardTransactionProcessed",
}


def owners(log):
    """aggregate -> customer, of all that belongs to one. A card whose account was never opened is missing."""
    owner, account_of = {}, {}
    for event in log:
        if event["kind"] == "customer":
            owner[event["aggregate"]] = event["id"]
        elif event["type"] in ("AccountOpened", "LoanRequested"):
            owner[event["aggregate"]] = event["data"]["customerId"]
        elif event["type"] == "CardIssued":
            account_of[event["aggregate"]] = f"account/{event['data']['accountId']}"
    for card, account in account_of.items():
        if account in owner:
            owner[card] = owner[account]
    return owner


def change(body, event):
    identity, data = event["id"], event.get("data")
    match event["type"]:
        case "CustomerProfileUpdated":
            body["profile"].update(data)
        case "AccountOpened":
            body["accounts"][identity] = {"type": data["type"], "currency": data["currency"], "balance": 0}
        case "AccountTransactionPerformed":
            body["accounts"][identity]["balance"] += data["amount"]
            body["accounts"][identity]["last"] = event["time"]
        case "AccountClosed":
            del body["accounts"][identity]
        case "LoanRequested":
            body["loans"][identity] = {"amount": data["amount"], "status": "REQUESTED"}
        case "LoanStatusChanged":
            body["loans"][identity]["status"] = data["status"]
        case "CardIssued":
            body["cards"][identity] = {"account": data["accountId"], "number": data["maskedNumber"], "recent": []}
        case "CardTransactionProcessed":
            paid = {"at": event["time"], "merchant": data["merchant"], "amount": data["amount"]}
            body["cards"][identity]["recent"] = (body["cards"][identity]["recent"] + [paid])[-10:]


def fold(records):
    """Returns customer id -> {"revision", "versions", "document"}."""
    log = list(common.events(records, KINDS))
    owner, customers = owners(log), {}
    for event in log:
        if event["aggregate"] not in owner:
            continue
        empty = {"profile": {}, "accounts": {}, "loans": {}, "cards": {}}
        customer = customers.setdefault(owner[event["aggregate"]], common.Document(empty))
        customer.enter(event)
        change(customer.body, event)
        customer.shown = customer.shown or event["type"] in MEANS_SOMETHING
    return {identity: customer.seen() for identity, customer in customers.items() if customer.shown}


def held(records):
    """How many events wait for an account that has never been opened."""
    log = list(common.events(records, KINDS))
    owner = owners(log)
    return sum(event["aggregate"] not in owner for event in log)


def fullest(documents):
    """A customer with much on the page."""
    return max(documents, key=lambda one: (sum(len(part) for part in documents[one]["document"].values()), one))


if __name__ == "__main__":
    common.model_main(__doc__, fold)
