ardour {
	["type"]    = "EditorAction",
	name        = "Retake: edit…",
	license     = "Apache-2.0",
	author      = "Retake",
	description = [[Select regions, say what they should be, get new takes over them.
The takes come in by "Retake: hook"; set that as an action hook once.]]
}

function factory ()
	local tool
	return function ()
		-- What Ardour keeps in a slot only leads to the installed files, which may be renewed.
		if not tool then
			local folder = ARDOUR.LuaAPI.build_filename (ARDOUR.user_config_directory (-1), "scripts")
			local chunk, why = loadfile (ARDOUR.LuaAPI.build_filename (folder, "retake_edit.luai"))
			if not chunk then
				LuaDialog.Message ("Retake", "Run: retake install ardour\n(" .. why .. ")",
					LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
				return
			end
			tool = chunk (folder)
		end
		tool ()
	end
end
