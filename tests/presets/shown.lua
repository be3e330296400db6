-- Data as a text in which every value can be told from every other, for a document's id that lint shows.
local function shown(value)
  if type(value) ~= "table" then return type(value) == "string" and string.format("%q", value) or tostring(value) end
  local parts = {}
  for name, member in pairs(value) do parts[#parts + 1] = tostring(name) .. "=" .. shown(member) end
  return "{" .. table.concat(parts, ",") .. "}"
end

return shown
