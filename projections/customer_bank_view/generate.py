#!/usr/bin/env python3
"""Makes events of a small bank: customers with accounts and loans, and cards that name only their account. Four services, whose
records come in no common order: a card may come long before its account. A few accounts are never heard of, as if their
service had lost them, so the events of their cards are held for ever. Some customers never say who they are.

As a program: writes them as JSON lines, {"topic", "key", "value"}, one a record, for model.py.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

CUSTOMERS = "shop.customers"
ACCOUNTS = "bank.accounts"
LOANS = "bank.loans"
CARDS = "bank.cards"
TOPICS = {CUSTOMERS: 4, ACCOUNTS: 4, LOANS: 3, CARDS: 4}  # partitions, where produce.py makes them

NAMES = ["Fred", "Ada", "Grace", "Linus", "Barbara", "Edsger", "Donald", "Margaret", "Zoë", "Søren", "李雷", "Ngọc"]
CITIES = ["Oslo", "Lisbon", "Bonn", "Kraków", "Hanoi", "São Paulo"]
MERCHANTS = ["bookshop", "bakery", "railway", "cinema", "pharmacy", "café"]
LOAN_NEXT = {"REQUESTED": ["APPROVED", "APPROVED", "REJECTED"], "APPROVED": ["PAID_OUT"], "PAID_OUT": ["PAID_BACK"]}


class Bank:
    """Happens event by event; History says when each of them is heard of."""

    def __init__(self, history, customers, prefix):
        self.history = history
        self.random = history.random
        self.customers = [f"{prefix}b{number}" for number in range(customers)]
        self.prefix = prefix
        self.accounts = []
        self.loans = {}  # those under way -> status
        self.cards = []
        self.made = 0

    def _new(self, letter):
        self.made += 1
        return f"{self.prefix}{letter}{self.made}"

    def profile(self):
        fields = {
            "name": self.random.choice(NAMES),
            "city": self.random.choice(CITIES),
            "email": f"{self.random.randrange(1000)}@example.org",
        }
        some = self.random.sample(sorted(fields), self.random.randint(1, 3))
        customer = self.random.choice(self.customers)
        self.history.happen(
            CUSTOMERS, "customer", customer, "CustomerProfileUpdated", {name: fields[name] for name in some}
        )

    def open_account(self):
        account = self._new("a")
        lost = not self.history.lost or self.random.random() < 0.03
        if lost:
            self.history.lose("account", account)
        data = {
            "customerId": self.random.choice(self.customers),
            "type": self.random.choice(["CURRENT", "SAVINGS"]),
            "currency": self.random.choice(["EUR", "NOK"]),
        }
        self.history.happen(ACCOUNTS, "account", account, "AccountOpened", data)
        if lost:
            self.issue_card(account)
        else:
            self.accounts.append(account)

    def of_account(self):
        place = self.random.randrange(len(self.accounts))
        account = self.accounts[place]
        if self.random.random() < 0.05:
            self.history.happen(ACCOUNTS, "account", account, "AccountClosed")
            self.accounts[place] = self.accounts[-1]
            self.accounts.pop()
        else:
            amount = self.random.randrange(-50_000, 100_000)
            self.history.happen(ACCOUNTS, "account", account, "AccountTransactionPerformed", {"amount": amount})

    def request_loan(self):
        loan = self._new("l")
        data = {"customerId": self.random.choice(self.customers), "amount": self.random.randrange(1, 500) * 10_000}
        self.history.happen(LOANS, "loan", loan, "LoanRequested", data)
        self.loans[loan] = "REQUESTED"

    def of_loan(self):
        loan = self.random.choice(list(self.loans))
        status = self.random.choice(LOAN_NEXT[self.loans[loan]])
        self.history.happen(LOANS, "loan", loan, "LoanStatusChanged", {"status": status})
        self.loans[loan] = status
        if status not in LOAN_NEXT:
            del self.loans[loan]

    def issue_card(self, account=None):
        card = self._new("k")
        number = f"**** **** **** {self.random.randrange(10_000):04d}"
        data = {"accountId": account or self.random.choice(self.accounts), "maskedNumber": number}
        self.history.happen(CARDS, "card", card, "CardIssued", data)
        self.cards.append(card)

    def of_card(self):
        data = {"merchant": self.random.choice(MERCHANTS), "amount": self.random.randrange(100, 20_000)}
        self.history.happen(CARDS, "card", self.random.choice(self.cards), "CardTransactionProcessed", data)

    def go_on(self):
        """One thing that can happen now, chosen by chance."""
        ways = [(self.profile, 3), (self.open_account, 3), (self.request_loan, 2)]
        if self.accounts:
            ways += [(self.of_account, 8), (self.issue_card, 2)]
        if self.loans:
            ways.append((self.of_loan, 3))
        if self.cards:
            ways.append((self.of_card, 9))
        self.random.choices([way for way, _ in ways], [weight for _, weight in ways])[0]()


def records(events=10_000, seed=1, prefix="", customers=0, repeats=0.02, days=40):
    """Yields about `events` records that differ (those of lost accounts never come), and the repeats among them."""
    step_ms = max(1, days * common.DAY_MS // max(1, events))
    history = common.History(seed, common.days_ago(days + 2), step_ms, lag=max(2, events // 5), repeats=repeats)
    bank = Bank(history, customers or max(2, events // 30), prefix)
    for _ in range(events):
        bank.go_on()
    yield from history.records()


if __name__ == "__main__":
    common.generator_main(__doc__, records, customers=0, repeats=0.02)
