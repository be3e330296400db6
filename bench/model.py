"""What the views must hold, from workload.h's description alone: (id, revision, fields) of every document. Shares nothing with
viewfold, and no code with the generator."""


def documents(workload, events, keys, customers):
    folds = {"order_documents": _orders, "customer_join": _customers, "hot_accounts": _accounts, "customer_bank_view": _bank, "orders_per_day": _days}
    return folds[workload](events, keys, customers)


def _count(events, keys, number):
    """How many of `events` are key `number`'s, where keys take turns."""
    return events // keys + (number < events % keys)


def _orders(events, keys, _):
    for n in range(min(keys, events)):
        last = _count(events, keys, n)
        fields = {"customer": f"c{n % 10000}", "total": str(n * 7 % 100000), "step": last}
        if last > 1:
            fields |= {"place": str(n * last % 997), "at": "2026-03-01T10:00:00.000Z", "note": _note(n, last)}
        yield f"o{n}", last, fields


def _note(n, version):
    head = (
        f'{{"kind":"order","id":"o{n}","version":{version},"event_id":"o{n}-{version}","type":"OrderNoted",'
        f'"time":"2026-03-01T10:00:00.000Z","data":{{"step":{version},"place":"{n * version % 997}","note":"'
    )
    return "x" * max(0, 250 - len(head) - 3)


def _customers(events, keys, customers):
    hot = max(1, customers // 100)
    orders, steps = [0] * customers, [0] * customers
    for n in range(min(keys, events)):
        customer = n // 2 % hot if n % 2 else hot + n // 2 % (customers - hot)
        orders[customer] += 1
        steps[customer] += _count(events, keys, n) - 1
    for c in range(customers):
        fields = {"name": "Fred", "creditLimit": {"amount": "2000"}, "orders": orders[c], "steps": steps[c]}
        yield f"c{c}", 1 + orders[c] + steps[c], fields


def _accounts(events, keys, _):
    for n in range(min(keys, events)):
        last = _count(events, keys, n)
        fields = {"owner": f"c{n % 7}", "balance": sum(n * v % 997 for v in range(2, last + 1)), "moves": last - 1}
        if last > 1:
            fields["at"] = "2026-03-01T10:00:00.000Z"
        yield f"a{n}", last, fields


AT = "2026-03-01T10:00:00.000Z"


def _bank(events, keys, customers):
    views = [{"profile": _profile(c), "accounts": {}, "loans": {}, "cards": {}} for c in range(customers)]
    revisions = [1] * customers
    for n in range(keys):
        # How many events the card, the account and the loan of this number have: they take turns in this order.
        cards, moves, states = (_count(events, 3 * keys, 3 * n + turn) for turn in range(3))
        if cards and not moves:
            raise ValueError(f"events end between a card and its account: {events} is no multiple of {3 * keys}")
        view = views[n % customers]
        revisions[n % customers] += cards + moves + states
        if moves:
            account = view["accounts"][f"a{n}"] = {"type": "CURRENT", "currency": "EUR", "balance": sum(n * v % 997 for v in range(2, moves + 1))}
            if moves > 1:
                account["last"] = AT
        if cards:
            recent = [{"at": AT, "merchant": "bookshop", "amount": n * v % 997} for v in range(2, cards + 1)]
            view["cards"][f"k{n}"] = {"account": f"a{n}", "number": f"**** {n % 10000}", "recent": recent[-10:]}
        if states:
            view["loans"][f"l{n}"] = {"amount": n % 997, "status": f"S{states}" if states > 1 else "REQUESTED"}
    for c in range(customers):
        yield f"c{c}", revisions[c], views[c]


def _profile(number):
    head = (
        f'{{"kind":"customer","id":"c{number}","version":1,"event_id":"c{number}-1","type":"CustomerProfileUpdated","time":"{AT}",'
        '"data":{"name":"Fred","creditLimit":{"amount":"2000"},"note":"'
    )
    return {"name": "Fred", "creditLimit": {"amount": "2000"}, "note": "x" * max(0, 250 - len(head) - 3)}


def _days(events, keys, _):
    yield "2026-03-01", events, {"created": min(keys, events), "shipped": min(keys, max(0, events - keys))}
