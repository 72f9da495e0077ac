// Where a server of this user keeps its server.conf, and what that says.
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");

function stateFolder(env = process.env, platform = process.platform, home = os.homedir()) {
  if (env.RETAKE_STATE_DIR) return env.RETAKE_STATE_DIR.replace(/^~(?=$|\/|\\)/, home);
  if (platform === "win32") {
    return path.join(env.LOCALAPPDATA || path.join(home, "AppData", "Local"), "retake");
  }
  if (platform === "darwin") return path.join(home, "Library", "Application Support", "retake");
  return path.join(env.XDG_STATE_HOME || path.join(home, ".local", "state"), "retake");
}

/** server.conf's `key=value` lines; null where there is no server. */
function readConf(folder) {
  let text;
  try {
    text = fs.readFileSync(path.join(folder, "server.conf"), "utf8");
  } catch {
    return null;
  }
  const pairs = text.split(/\r?\n/).filter((line) => line.includes("="));
  return Object.fromEntries(
    pairs.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)])
  );
}

module.exports = { stateFolder, readConf };
