-- Keeps what it is given; its tests fail in all the ways that a report shows.
return {
  name = "reports", topics = { "things", "parts" },
  key = { thing = link { Linked = "to" }, part = own },
  on = {
    Linked = function(doc) doc.linked = true end,
    Kept = function(doc, e) doc.data = e.data end,
    Failed = function(doc, e)
      log("before it fails")
      error("no " .. e.id)
    end,
    Never = function() end,
  },
}
