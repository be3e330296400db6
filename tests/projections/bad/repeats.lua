-- Keeps what it is given.
return {
  name = "repeats", topics = { "things", "parts" },
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
