---@meta viewfold
-- What a projection sees beside the language: for the Lua language server (add this folder to `workspace.library`).
-- Nothing here is loaded by viewfold.

---JSON null. A value of its own: `e.data.x == null`; it is true in a condition.
---@class null
null = nil

---A route: the document with the aggregate's own id.
---@class own
own = nil

---What a handler returns to remove the document. It stays removed until the aggregate that removed it has a later event with a
---handler, which begins from `initial`.
---@class delete
delete = nil

---@class link

---@class through

---A date: a field at the top of a document that is a BSON date in MongoDB, and RFC 3339 text in Redis and JSON.
---It compares with dates and with RFC 3339 strings (`doc.created < e.time`), and `tostring(d)` or `"" .. d` is its text,
---in UTC with milliseconds. Read back and left alone, it stays a date.
---@class date
---@operator concat(any): string

---@alias id string|integer
---A field of `e.data` ("customerId", "a.b"): a string, an integer, or a list of them for several documents.
---A function: an id, a list of ids, or nil for "not for this view".
---A link: those event types say it, and the aggregate's other events follow. `through`: what another aggregate is linked to.
---@alias route own|link|through|string|fun(e: event): id|id[]|nil

---Changes `doc`. `from` is the document that the aggregate has just left, nil for all events that move nothing.
---@alias handler fun(doc: table, e: event, from: table|nil): delete?

---An index over top-level fields, each a different one.
---@class index
---@field sort? string a number, date or string
---@field by? string a string, integer or boolean that is asked for exactly
---@field where? string a boolean: only documents where it is true

---The event of this call. It cannot be changed (an upcast sets `type` and `data`) and shows nothing after the call; `e.data` is
---the call's own copy.
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
---@field on table<string, handler|table<string, handler>> event type -> handler, or kind -> (event type -> handler)
---@field upcast? table<string, fun(e: event)> event type -> what turns an old event into the present one, by e.type and e.data
---@field indexes? table<string, index>
---@field ttl? string "30d": how long after its newest event a document is gone (ms, s, m, h, d)
---@field unlinked? "hold"|"park"|"ignore" what becomes of an event whose link is not known; "hold" by default
---@field versions? "document"|"record"|"none" where the last version of each aggregate is kept

---These events say which document; it is remembered for the aggregate, and its other events follow. A later one of them that
---says another document moves the aggregate there.
---@param types table<string, own|through|string|fun(e: event): id|nil>
---@return link
function link(types) end

---What the aggregate `kind`/<that field of e.data> is linked to: followed once, and the event is held until it is known.
---@param kind string a kind of `key` whose route is a link
---@param field string a field of `e.data` ("accountId", "a.b")
---@return through
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
