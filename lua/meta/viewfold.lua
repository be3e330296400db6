---@meta viewfold
-- What a projection sees beside the language: for the Lua language server (add this folder to `workspace.library`).
-- Nothing here is loaded by viewfold. What is said to be "not built yet" is refused when a projection is loaded.

---JSON null. A value of its own: `e.data.x == null`; it is true in a condition.
---@class null
null = nil

---A route: the document with the aggregate's own id.
---@class own
own = nil

---What a handler returns to remove the document. Not built yet: the event fails.
---@class delete
delete = nil

---@class link

---A date: a field at the top of a document that is a BSON date in MongoDB, and RFC 3339 text in Redis and JSON.
---It compares with dates and with RFC 3339 strings (`doc.created < e.time`), and `tostring(d)` or `"" .. d` is its text,
---in UTC with milliseconds. Read back and left alone, it stays a date.
---@class date
---@operator concat(any): string

---@alias id string|integer
---A field of `e.data` ("customerId", "a.b"): a string, an integer, or a list of them for several documents.
---A function: an id, a list of ids, or nil for "not for this view".
---@alias route own|link|string|fun(e: event): id|id[]|nil

---The event of this call. It cannot be changed and shows nothing after the call; `e.data` is the call's own copy.
---@class event
---@field kind string `order`
---@field id string `42`
---@field aggregate string `order/42`
---@field version integer|string its number within the aggregate; a string where numbers are `ordered` strings
---@field type string `OrderCreated`
---@field schema integer schema number where the envelope maps one
---@field time string RFC 3339 in UTC with milliseconds; `e.time:sub(1, 10)` is the day
---@field time_ms integer Unix milliseconds
---@field data any JSON objects as tables, lists as `array`, null as `null`; integers are exact, floats stay floats
---@field before any the row before, for change-data events
---@field event_id string|nil
---@field headers table<string, string|null>
---@field topic string Kafka's own name
---@field partition integer
---@field offset integer
---@field key string|nil the document's id in this call; nil in a route

---@class projection
---@field name string the view's name: a-z, 0-9 and _, beginning with a letter
---@field version? integer 1 by default; raise it when the result changes
---@field topics string[] names under `topics:` in viewfold.yaml
---@field key table<string, route> kind -> which document its events go to
---@field initial? table the body of a document that does not exist yet
---@field on table<string, fun(doc: table, e: event)> event type -> handler
---@field versions? "document"|"record"|"none" where the last version of each aggregate is kept

---These events say which document; it is remembered for the aggregate, and its other events follow.
---One event type for now.
---@param types table<string, own|string|fun(e: event): id|nil>
---@return link
function link(types) end

---What another aggregate is linked to. Not built yet.
---@param kind string
---@param field string
---@return link
function through(kind, field) end

---Marks a table as a list, and returns it. Only such a table, or one that came from JSON, is kept as a list.
---@generic T
---@param list? T[]
---@return T[]
function array(list) end

---@param text string|date RFC 3339, as `e.time` is
---@return date
function date(text) end

---Shown by test, try and dry-run; rate-limited in run.
---@param ... any
function log(...) end

---A module beside the projection, while the file is loaded: "lib.money" is lib/money.lua.
---@param name string
---@return any
function require(name) end
