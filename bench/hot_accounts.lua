-- Few documents that many events change: what comes in one batch folds into one write.
return {
  name = "hot_accounts", topics = { "accounts" },
  key = { account = own },
  initial = { balance = 0, moves = 0 },
  on = {
    AccountOpened = function(doc, e) doc.owner = e.data.owner end,
    AmountMoved = function(doc, e)
      doc.balance, doc.moves, doc.at = doc.balance + e.data.amount, doc.moves + 1, e.time
    end,
  },
}
