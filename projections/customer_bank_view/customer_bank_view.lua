-- customer_bank_view.lua: the portal page. Profile, accounts, loans and cards of one customer, from four services.
local function keep(list, item, n)                      -- the last n of one card's own events: always in order
  list[#list + 1] = item
  if #list > n then table.remove(list, 1) end
end

return {
  name = "customer_bank_view", version = 1, topics = { "customers", "accounts", "loans", "cards" },

  key = {
    customer = own,
    account  = link { AccountOpened = "customerId" },
    loan     = link { LoanRequested = "customerId" },
    card     = link { CardIssued    = through("account", "accountId") },  -- a card names only its account
  },

  initial = { profile = {}, accounts = {}, loans = {}, cards = {} },

  on = {
    CustomerProfileUpdated = function(doc, e)
      for field, value in pairs(e.data) do doc.profile[field] = value end
    end,

    AccountOpened = function(doc, e)
      doc.accounts[e.id] = { type = e.data.type, currency = e.data.currency, balance = 0 }
    end,
    AccountTransactionPerformed = function(doc, e)      -- amounts are integers, in cents
      local account = doc.accounts[e.id]
      account.balance, account.last = account.balance + e.data.amount, e.time
    end,
    AccountClosed = function(doc, e) doc.accounts[e.id] = nil end,

    LoanRequested     = function(doc, e) doc.loans[e.id] = { amount = e.data.amount, status = "REQUESTED" } end,
    LoanStatusChanged = function(doc, e) doc.loans[e.id].status = e.data.status end,

    CardIssued = function(doc, e)
      doc.cards[e.id] = { account = e.data.accountId, number = e.data.maskedNumber, recent = array {} }
    end,
    CardTransactionProcessed = function(doc, e)
      keep(doc.cards[e.id].recent, { at = e.time, merchant = e.data.merchant, amount = e.data.amount }, 10)
    end,
  },
}
