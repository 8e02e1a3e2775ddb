local cmd = require("cmd")
local json = require("json")

local function quoted(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The pin that the options of `_.atmos-wrap` name: a stack, an identity, or none.
local function pin(options)
    if type(options) ~= "table" then
        return ""
    end
    for _, kind in ipairs({ "identity", "stack" }) do
        local name = options[kind]
        if name ~= nil then
            return " " .. quoted(kind .. ":" .. tostring(name))
        end
    end
    return ""
end

--- Return the pointers of the identity of the directory that the mise.toml is in.
--- Nothing is kept by mise: its cache knows neither ATMOS_IDENTITY nor changes within one second.
function PLUGIN:MiseEnv(ctx)
    local where = nil
    if ctx.config_root ~= nil then
        where = { cwd = ctx.config_root, env = { PWD = ctx.config_root } }
    end
    local done, told = pcall(cmd.exec, "atmos-wrap hook-export mise" .. pin(ctx.options), where or {})
    if not done then
        io.stderr:write("atmos-wrap: it cannot be run by mise: " .. tostring(told):gsub("[\r\n].*", "") .. "\n")
        return {}
    end
    local found = json.decode(told)
    if found.say ~= "" then
        io.stderr:write(found.say .. "\n")
    end
    return { cacheable = false, watch_files = found.watch_files, env = found.env }
end
