-- What nginx answers as a tenant with state: listings in which a paused connector shows as paused.
-- Connectors are named after their app: app7 has app7c0, app7c1 and so on.

local PAUSED = '"syncDisabledAt": "2026-01-01T00:00:00Z", "status": {"status": "SYNC_STATUS_DISABLED"}'
local ACTIVE = '"syncDisabledAt": null, "status": {"status": "SYNC_STATUS_DONE"}'

return function(apps, per_app, latency)
    local tenant = {}

    local function take_time()
        if latency and latency > 0 then
            ngx.sleep(latency)
        end
    end

    function tenant.pause()
        take_time()
        ngx.shared.paused:set(ngx.var.uri, true)
        ngx.header.content_length = 2
        ngx.print("{}")
    end

    function tenant.list_connectors()
        take_time()
        local rows = {}
        for number = 0, per_app - 1 do
            local id = ngx.var.app .. "c" .. number
            local paused = ngx.shared.paused:get(ngx.var.uri .. "/" .. id .. "/pause")
            rows[number + 1] = string.format(
                '{"connector": {"id": "%s", "appId": "%s", "displayName": "Connector %s", %s}}',
                id, ngx.var.app, id, paused and PAUSED or ACTIVE
            )
        end
        ngx.print('{"list": [', table.concat(rows, ", "), '], "nextPageToken": ""}')
    end

    function tenant.list_apps()
        take_time()
        local size = tonumber(ngx.var.arg_page_size) or 25
        local first = tonumber(ngx.var.arg_page_token) or 0
        local last = math.min(first + size, apps)
        local rows = {}
        for number = first, last - 1 do
            rows[#rows + 1] = string.format('{"id": "app%d", "displayName": "App %d"}', number, number)
        end
        ngx.print('{"list": [', table.concat(rows, ", "), '], "nextPageToken": "', last < apps and last or "", '"}')
    end

    return tenant
end
