-- order_saga.lua: where is order 123? One document an order: the step that its saga has reached, what was done, what failed and
-- what was taken back on the way, and since when nothing has happened to it.

-- Three services tell their parts in no common order. So each handler only notes what has happened and when, and the step
-- follows from all that is noted: the same in whatever order it came.
local function step(done, failed, compensations)
  if compensations.order or failed.inventory then
    if done.payment and not compensations.payment then return "AWAITING_REFUND" end
    if not compensations.order then return "AWAITING_CANCELLATION" end
    return "CANCELLED"
  end
  if not done.order     then return "AWAITING_ORDER" end
  if not done.payment   then return "AWAITING_PAYMENT" end
  if not done.inventory then return "AWAITING_INVENTORY" end
  return "COMPLETED"
end

local function settle(doc, e)
  doc.step = step(doc.done, doc.failed, doc.compensations)
  if e.time > doc.changed then doc.changed = e.time end  -- the newest, whichever service is heard last
  local over = doc.step == "COMPLETED" or doc.step == "CANCELLED"
  doc.stuck_since = not over and date(doc.changed) or nil  -- one that is over is in neither index
end

local function note(group, part)
  return function(doc, e)
    doc[group][part] = e.time
    settle(doc, e)
  end
end

return {
  name = "order_saga", version = 1, topics = { "checkouts", "payments", "reservations" },

  key = {
    order       = own,
    payment     = link { PaymentProcessed = "orderId" },
    reservation = link { InventoryReserved          = "orderId",    -- whichever comes first says whose it is;
                         InventoryReservationFailed = "orderId" },  -- one that failed may be tried again
  },

  initial = { done = {}, failed = {}, compensations = {}, changed = "" },

  indexes = {
    stuck    = { sort = "stuck_since" },               -- every saga under way; the first one has waited longest
    stuck_at = { sort = "stuck_since", by = "step" },  -- the same among those that wait for one thing
  },

  on = {
    OrderCreated = function(doc, e)
      doc.customer, doc.total = e.data.customerId, e.data.orderTotal
      doc.done.order = e.time
      settle(doc, e)
    end,
    PaymentProcessed  = note("done", "payment"),
    InventoryReserved = function(doc, e)
      doc.done.inventory, doc.failed.inventory = e.time, nil
      settle(doc, e)
    end,
    InventoryReservationFailed = function(doc, e)
      doc.failed.inventory = { at = e.time, reason = e.data.reason }
      settle(doc, e)
    end,
    PaymentRefunded = note("compensations", "payment"),
    OrderCancelled  = note("compensations", "order"),
  },
}
