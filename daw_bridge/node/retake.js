// A client of a Retake server, for Max's node.script, Live's extensions and other Node programs.
// Needs nothing but Node.
//
//   const { connect } = require("./retake");
//   const client = await connect();
//   const job = await client.submit({ edit: "transfer", path: "/clips/door.wav", prompt: "a gate" });
//   for await (const event of client.events(job)) console.log(event);
//   const { rate, channels, samples } = await client.get(job, 1);
"use strict";

const crypto = require("crypto");
const net = require("net");
const osc = require("./osc");
const { frame, Framer } = require("./framing");
const { stateFolder, readConf } = require("./conf");

const PROTOCOL = 1;
const ANSWER_MS = 5000;
const AUDIO_MS = 60000;
// A job stops at its next step; on a slow machine that one, or a model that loads, may take long.
const CANCEL_MS = 120000;
const LAST = ["done", "fail", "cancelled"];

// What follows the job's name, by event.
const FIELDS = {
  queued: ["position"],
  started: [],
  progress: ["fraction", "stage", "secondsLeft"],
  take: ["index", "path", "frames", "rate", "channels", "seed", "score"],
  done: ["takes", "seconds"],
  fail: ["code", "message"],
  cancelled: [],
};

/** What went wrong: `code` is one of the protocol's, or "no-server", "server-gone", "no-answer". */
class RetakeError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "RetakeError";
    this.code = code;
  }
}

/** What is said about one job, read with `for await`; ends after done, fail or cancelled. */
class Events {
  constructor() {
    this.kept = [];
    this.readers = [];
    this.isOver = false;
    this.error = null;
  }

  push(event) {
    if (this.isOver) return;
    this.isOver = LAST.includes(event.name);
    this.kept.push(event);
    this.serve();
  }

  fail(error) {
    if (this.isOver) return;
    this.isOver = true;
    this.error = error;
    this.serve();
  }

  serve() {
    while (this.readers.length && (this.kept.length || this.isOver)) {
      const { resolve, reject } = this.readers.shift();
      if (this.kept.length) resolve({ value: this.kept.shift(), done: false });
      else if (this.error) reject(this.error);
      else resolve({ value: undefined, done: true });
    }
  }

  next() {
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve, reject });
      this.serve();
    });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

class Client {
  constructor(socket, token) {
    this.socket = socket;
    this.token = token;
    this.framer = new Framer();
    this.waiting = new Set();
    this.jobs = new Map();
    this.gone = null;
    socket.on("data", (data) => this.read(data));
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.lose(new RetakeError("server-gone", "the server is gone")));
  }

  /** Who answers: {version, protocol, model, device, spool}. */
  async hello(name = "node") {
    const args = await this.ask("hello", [name, PROTOCOL], ["hello"]);
    return object(["version", "protocol", "model", "device", "spool"], args);
  }

  /** Queue an edit; its job's name. `hole` may be an array; undefined and null are left out. */
  async submit(keys, job = `node-${crypto.randomBytes(6).toString("hex")}`) {
    const pairs = [];
    for (const [key, value] of Object.entries(keys)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined && one !== null) pairs.push(key, one);
      }
    }
    // The same job again hears its present state; what was heard before stays as it is.
    if (!this.jobs.has(job)) this.jobs.set(job, new Events());
    try {
      await this.ask("submit", [job, ...pairs], ["queued", "started", "take", ...LAST], job);
    } catch (error) {
      this.jobs.delete(job);
      throw error;
    }
    return job;
  }

  /** What is said about a job of this client's, as {name, …}; to be read once, with `for await`. */
  events(job) {
    if (!this.jobs.has(job)) throw new RetakeError("unknown-job", `${job} wasn't submitted here`);
    return this.jobs.get(job);
  }

  /** The job's takes, best first, once they are there. Rejects where it fails or is cancelled. */
  async wait(job, onProgress = () => {}) {
    const takes = [];
    for await (const event of this.events(job)) {
      if (event.name === "progress") onProgress(event);
      if (event.name === "take") takes.push(event);
      if (event.name === "fail") throw new RetakeError(event.code, event.message);
      if (event.name === "cancelled") throw new RetakeError("cancelled", `${job} was cancelled`);
    }
    return takes.sort((a, b) => a.index - b.index);
  }

  /** Stop a job; how it ended: "cancelled", or "done" or "fail" where it was faster. */
  async cancel(job) {
    const { address } = await this.askFor("cancel", [job], LAST, job, CANCEL_MS);
    return address;
  }

  /** A job's {state, fraction, message}. */
  async status(job) {
    const args = await this.ask("status", [job], ["status"], job);
    return object(["state", "fraction", "message"], args.slice(1));
  }

  /** The entries of "edits", "presets", "models" or "jobs": {name, description, more}. */
  async list(kind) {
    const entries = [];
    const note = (word, [of, name, description, ...more]) => {
      if (word === "item" && of === kind) entries.push({ name, description, more });
    };
    await this.askFor("list", [kind], ["end"], kind, ANSWER_MS, note);
    return entries;
  }

  /** Hand over interleaved samples (Float32Array); the name for submit's `upload`. */
  async put(samples, rate, channels, upload = `node-${crypto.randomBytes(6).toString("hex")}`) {
    const data = Buffer.alloc(samples.length * 4);
    samples.forEach((sample, i) => data.writeFloatLE(sample, i * 4));
    await this.ask("put", [upload, rate, channels, data], ["put"], upload, AUDIO_MS);
    return upload;
  }

  /** A take's audio: {rate, channels, samples}, samples an interleaved Float32Array. */
  async get(job, index = 1) {
    const args = await this.ask("get", [job, index], ["audio"], job, AUDIO_MS);
    const [, , rate, channels, data] = args;
    const samples = new Float32Array(data.length / 4);
    for (let i = 0; i < samples.length; i++) samples[i] = data.readFloatLE(i * 4);
    return { rate, channels, samples };
  }

  /** Hang up. Jobs go on. */
  close() {
    this.lose(new RetakeError("server-gone", "the client was closed"));
    this.socket.destroy();
  }

  async ask(...question) {
    return (await this.askFor(...question)).args;
  }

  askFor(word, values, answers, subject = null, timeoutMs = ANSWER_MS, note = null) {
    return new Promise((resolve, reject) => {
      if (this.gone) return reject(this.gone);
      const asked = { word, answers, subject, resolve, reject, note };
      const late = () => {
        this.waiting.delete(asked);
        reject(new RetakeError("no-answer", `no answer to ${word} in ${timeoutMs / 1000} s`));
      };
      asked.timer = setTimeout(late, timeoutMs);
      this.waiting.add(asked);
      this.socket.write(frame(osc.encode(`/retake/${word}`, [this.token, ...values])));
    });
  }

  read(data) {
    try {
      for (const packet of this.framer.feed(data)) osc.decode(packet).forEach((m) => this.hear(m));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.lose(new RetakeError("server-gone", `the server's words make no sense: ${error.message}`));
      this.socket.destroy();
    }
  }

  hear({ address, args }) {
    const word = address.slice(address.lastIndexOf("/") + 1);
    if (word in FIELDS && this.jobs.has(args[0])) {
      this.jobs.get(args[0]).push({ name: word, ...object(FIELDS[word], args.slice(1)) });
    }
    for (const asked of [...this.waiting]) {
      if (asked.note) asked.note(word, args);
      if (word === "error") this.refuse(asked, args);
      else if (asked.answers.includes(word) && [null, args[0]].includes(asked.subject)) {
        this.settle(asked).resolve({ address: word, args });
      }
    }
  }

  refuse(asked, [address, code, message, subject]) {
    if (address === `/retake/${asked.word}` && [null, asked.subject].includes(subject || null)) {
      this.settle(asked).reject(new RetakeError(code, message));
    }
  }

  settle(asked) {
    clearTimeout(asked.timer);
    this.waiting.delete(asked);
    return asked;
  }

  lose(error) {
    this.gone = this.gone || error;
    for (const asked of [...this.waiting]) this.settle(asked).reject(error);
    for (const events of this.jobs.values()) events.fail(error);
  }
}

function object(names, values) {
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

/**
 * A client of the running server, once that has answered hello. Rejects with the code "no-server"
 * where there is none.
 */
async function connect({ stateDir = stateFolder(), name = "node" } = {}) {
  const conf = readConf(stateDir);
  const none = (why) =>
    new RetakeError("no-server", `no server runs (${why}); start one with: retake serve`);
  if (!conf || !/^\d+$/.test(conf.tcp || "")) throw none(`no server.conf in ${stateDir}`);
  const socket = net.connect({ host: "127.0.0.1", port: Number(conf.tcp) });
  socket.setNoDelay(true);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error) => reject(none(error.message)));
  });
  const client = new Client(socket, conf.token);
  try {
    await client.hello(name);
  } catch (error) {
    client.close();
    throw none(error.message);
  }
  return client;
}

module.exports = { connect, Client, RetakeError };
