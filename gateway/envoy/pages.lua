-- Keeps pages that a browser shows from using the mesh behind its user's back.
--
-- Who may read an answer is for the browser to say, but the request of any page has been served by
-- then: so what changes something, or opens a socket, is refused to pages of other origins. A page
-- can also have a name of its own lead to this machine, and be of the same origin then: so without
-- keys only names are answered to that no stranger can have given it. Above this file stand ORIGINS,
-- those that may call, and HOSTS, further names, which is nil where keys are asked for.

local find, match, sub = string.find, string.match, string.sub
local HARMLESS = {GET = true, HEAD = true, OPTIONS = true}
local LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}

local function refuse(handle, why)
  handle:streamInfo():dynamicMetadata():set("mesh", why, true)
  handle:respond({[":status"] = "403"}, "")
end

-- Addresses need nobody who resolves them, and names without a dot nobody outside can resolve.
local function is_ours(host)
  local name = string.lower(match(host, "^%[.*%]") or match(host, "^[^:]*"))
  name = string.gsub(name, "%.$", "")
  return HOSTS[name] or not find(name, ".", 1, true) or find(name, "^%d+%.%d+%.%d+%.%d+$")
    or find(name, "^%[") or find(name, "%.localhost$")
end

local function may_call(origin, host)
  if ORIGINS["*"] or ORIGINS[origin] then return true end
  local from = match(origin, "^https?://(.*)$")
  if not from then return false end
  if from == host then return true end
  for _, name in ipairs(LOOPBACK) do
    if sub(from, 1, #name) == name and find(sub(from, #name + 1), "^:?%d*$") then return true end
  end
  return false
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local host = headers:get(":authority") or ""
  if HOSTS and not is_ours(host) then return refuse(handle, "foreign_host") end
  local origin = headers:get("origin")
  if not origin or may_call(origin, host) then return end
  if HARMLESS[headers:get(":method")] and not headers:get("upgrade") then return end
  refuse(handle, "foreign_origin")
end
