ardour {
	["type"]    = "EditorHook",
	name        = "Retake: hook",
	license     = "Apache-2.0",
	author      = "Retake",
	description = [[Looks ten times a second whether a take is there, and lays it over its region.]]
}

function signals ()
	return LuaSignal.Set ():add ({[LuaSignal.LuaTimerDS] = true})
end

function factory ()
	local takes
	return function ()
		if takes == nil then
			local folder = ARDOUR.LuaAPI.build_filename (ARDOUR.user_config_directory (-1), "scripts")
			local chunk = loadfile (ARDOUR.LuaAPI.build_filename (folder, "retake_takes.luai"))
			takes = chunk and chunk (folder) or false
		end
		if takes then takes.tick () end
	end
end
