-- Names the field that is wrong with a REST request.
--
-- On the way in it refuses a JSON body that holds a field which its message does not have: Envoy's
-- transcoder would drop it without a word. Above this file stand two tables made from the contract:
-- BODIES, the verb, path pattern and message of each call with a JSON body, and MESSAGES, the
-- fields of each message. JSON that is broken is left to the transcoder, which says where.
--
-- On the way out it reads which field the transcoder speaks of, and writes it where programs look.

local find, match, sub, byte = string.find, string.match, string.sub, string.byte
local QUOTE, BACKSLASH, COMMA = 34, 92, 44
local OBJECT, ARRAY, ARRAY_END = 123, 91, 93
-- Only free-form values can be nested so deep, and they hold no field of ours.
local DEEPEST = 100

local value

-- A plain search is a memchr, which keeps a picture of 30 MB from holding up the edge.
local function past_string(text, at)
  while true do
    local quote = find(text, '"', at, true)
    if not quote then return nil end
    local before = quote - 1
    while before >= at and byte(text, before) == BACKSLASH do before = before - 1 end
    if (quote - before) % 2 == 1 then return quote + 1 end
    at = quote + 1
  end
end

-- Each walker returns the place after what it read, or nil and the path of an unknown field, or nil
-- alone when the JSON is broken.
local function object(text, at, message, depth)
  local fields = MESSAGES[message]
  at = find(text, "%S", at)
  while at and byte(text, at) == QUOTE do
    local after = past_string(text, at + 1)
    if not after then return nil end
    local name = sub(text, at + 1, after - 2)
    if fields and not fields[name] then return nil, name end
    local _, colon = find(text, "^%s*:", after)
    if not colon then return nil end
    local unknown
    at, unknown = value(text, colon + 1, fields and fields[name] or "", depth)
    if unknown then return nil, name .. (byte(unknown) == ARRAY and "" or ".") .. unknown end
    at = at and find(text, "%S", at)
    if at and byte(text, at) == COMMA then at = find(text, "%S", at + 1) end
  end
  return at and at + 1
end

local function array(text, at, message, depth)
  local index = 0
  at = find(text, "%S", at)
  while at and byte(text, at) ~= ARRAY_END do
    local unknown
    at, unknown = value(text, at, message, depth)
    if unknown then return nil, "[" .. index .. "]." .. unknown end
    at = at and find(text, "%S", at)
    if at and byte(text, at) == COMMA then at = at + 1 end
    at = at and find(text, "%S", at)
    index = index + 1
  end
  return at and at + 1
end

function value(text, at, message, depth)
  at = find(text, "%S", at)
  if not at or depth == 0 then return nil end
  local first = byte(text, at)
  if first == QUOTE then return past_string(text, at + 1) end
  if first == OBJECT then return object(text, at + 1, message, depth - 1) end
  if first == ARRAY then return array(text, at + 1, message, depth - 1) end
  local after = find(text, "[%s,%]}]", at)
  return after ~= at and after or nil
end

local function message_of(verb, path)
  for _, body in ipairs(BODIES) do
    if body.verb == verb and find(path, body.path) then return body.message end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local message = message_of(headers:get(":method"), headers:get(":path"):match("^[^?]*"))
  local body = message and handle:body()
  if not body then return end
  local _, unknown = value(body:getBytes(0, body:length()), 1, message, DEEPEST)
  if not unknown then return end
  handle:streamInfo():dynamicMetadata():set("mesh", "unknown_field", sub(unknown, 1, 256))
  handle:respond({[":status"] = "400"}, "")
end

local function field_told(reply)
  return match(reply, "cannot be read: ([%w_%.%[%]]+): invalid value")
    or match(reply, "cannot be read: : invalid value [^;]* for type ([%w_]+);")
    or match(reply, 'cannot be read: Could not find field \\"([%w_%.]+)\\"')
end

function envoy_on_response(handle)
  if not handle:headers():get(UNREAD_HEADER) then return end
  handle:headers():remove(UNREAD_HEADER)
  -- Waiting for the body may end the life of a `headers` taken before it.
  local body = handle:body()
  local reply = body:getBytes(0, body:length())
  -- Quotes in what a client sent are escaped, so only our own field looks like this.
  local named = string.gsub(reply, '"field":"' .. UNREAD_FIELD .. '"', function()
    return '"field":"' .. (field_told(reply) or "") .. '"'
  end, 1)
  handle:headers():replace("content-length", body:setBytes(named))
end
