// Run by tests/test_node.py with node --test: the client against a real server (CLIP, STATE given).
"use strict";

const assert = require("assert");
const path = require("path");
const test = require("node:test");

const folder = path.join(__dirname, "..", "daw_bridge", "node");
const { connect } = require(path.join(folder, "retake.js"));
const osc = require(path.join(folder, "osc.js"));
const { frame, Framer } = require(path.join(folder, "framing.js"));
const { stateFolder } = require(path.join(folder, "conf.js"));

const stateDir = process.env.STATE;
const clip = process.env.CLIP;

async function withClient(act) {
  const client = await connect({ stateDir });
  try {
    return await act(client);
  } finally {
    client.close();
  }
}

test("hello says who is there", () =>
  withClient(async (client) => {
    const hello = await client.hello();
    assert.strictEqual(hello.protocol, 1);
    assert.strictEqual(hello.model, "double");
    assert.ok(path.isAbsolute(hello.spool));
  }));

test("submit, events and get: the take is the clip upside down", () =>
  withClient(async (client) => {
    const samples = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i / 9) / 3);
    const upload = await client.put(samples, 44100, 2);
    const job = await client.submit({ edit: "transfer", upload, prompt: "räin", takes: 2, seed: 7 });
    const names = [];
    for await (const event of client.events(job)) names.push(event.name);
    assert.strictEqual(names[0], "queued");
    assert.ok(names.includes("started") && names.includes("progress"));
    assert.strictEqual(names[names.length - 1], "done");
    const got = await client.get(job, 1);
    assert.deepStrictEqual([got.rate, got.channels], [44100, 2]);
    assert.deepStrictEqual(got.samples, samples.map((sample) => -sample));
  }));

test("wait gives the takes, best first, and tells the progress", () =>
  withClient(async (client) => {
    const job = await client.submit({ edit: "transfer", path: clip, prompt: "short", takes: 3, seed: 5 });
    const heard = [];
    const takes = await client.wait(job, (event) => heard.push(event.fraction));
    assert.deepStrictEqual(takes.map((take) => take.index), [1, 2, 3]);
    assert.deepStrictEqual(takes.map((take) => take.seed), [5, 6, 7]);
    assert.strictEqual(takes[0].frames, 4410);
    assert.ok(heard.length > 3 && heard.every((f, i) => i === 0 || f >= heard[i - 1]));
    assert.strictEqual((await client.status(job)).state, "done");
  }));

test("cancel ends a running job", () =>
  withClient(async (client) => {
    const job = await client.submit({ edit: "transfer", path: clip, prompt: "slow" });
    const events = client.events(job);
    for await (const event of events) if (event.name === "progress" && event.fraction > 0) break;
    assert.strictEqual(await client.cancel(job), "cancelled");
    const last = [];
    for await (const event of events) last.push(event.name);
    assert.strictEqual(last[last.length - 1], "cancelled");
  }));

test("two jobs at once each hear their own", () =>
  withClient(async (client) => {
    const keys = { edit: "transfer", path: clip };
    const jobs = await Promise.all([1, 2].map((seed) => client.submit({ ...keys, seed, prompt: "r" })));
    const takes = await Promise.all(jobs.map((job) => client.wait(job)));
    assert.deepStrictEqual(takes.map(([take]) => take.seed), [1, 2]);
  }));

test("the same job again hears how it ended", () =>
  withClient(async (first) => {
    const keys = { edit: "transfer", path: clip, prompt: "rain", seed: 3 };
    const job = await first.submit(keys);
    await first.wait(job);
    await withClient(async (second) => {
      await second.submit(keys, job);
      assert.strictEqual((await second.wait(job)).length, 1);
      await assert.rejects(second.submit({ ...keys, seed: 4 }, job), { code: "conflict" });
    });
  }));

test("refusals and failures carry their code", () =>
  withClient(async (client) => {
    await assert.rejects(client.submit({ edit: "dance" }), { code: "unknown-edit" });
    await assert.rejects(client.submit({ edit: "transfer", path: clip, strength: 7 }), {
      code: "bad-value",
    });
    await assert.rejects(client.status("nobody"), { code: "unknown-job" });
    await assert.rejects(client.get("nobody"), { code: "unknown-job" });
    const job = await client.submit({ edit: "transfer", path: clip, prompt: "memory" });
    await assert.rejects(client.wait(job), { code: "out-of-memory" });
    assert.throws(() => client.events("nobody"), { code: "unknown-job" });
  }));

test("list gives edits and presets", () =>
  withClient(async (client) => {
    const names = (await client.list("edits")).map((entry) => entry.name);
    assert.ok(names.includes("transfer") && names.includes("inpaint"));
    assert.ok((await client.list("presets")).length > 10);
    await assert.rejects(client.list("dances"), { code: "bad-value" });
  }));

test("no server is told apart", async () => {
  await assert.rejects(connect({ stateDir: path.join(stateDir, "nowhere") }), {
    code: "no-server",
    message: /retake serve/,
  });
});

test("after close nothing hangs", async () => {
  const client = await connect({ stateDir });
  const job = await client.submit({ edit: "transfer", path: clip, prompt: "short" });
  const waited = client.wait(job);
  client.close();
  await assert.rejects(waited, { code: "server-gone" });
  await assert.rejects(client.hello(), { code: "server-gone" });
});

test("packets come back as they were, numbers exact", () => {
  const values = ["", "äß", "abc", 0, -1, 2 ** 53 - 1, 0.1, -1e300, 2n ** 62n, Buffer.from([1, 2, 3])];
  const [message] = osc.decode(osc.encode("/a/b", values));
  assert.deepStrictEqual(message, { address: "/a/b", args: values });
  assert.throws(() => osc.encode("/a", [{}]), TypeError);
});

test("what is no OSC is a RangeError", () => {
  const whole = osc.encode("/retake/take", ["job", 1, Buffer.alloc(5)]);
  for (let n = 0; n < whole.length; n++) {
    assert.throws(() => osc.decode(whole.subarray(0, n)), RangeError, `${n} bytes`);
  }
});

test("frames are found however their bytes arrive", () => {
  const packets = [1, 4, 1000, 3].map((n) => Buffer.alloc(n, n));
  const stream = Buffer.concat(packets.map(frame));
  for (const step of [1, 3, 7, stream.length]) {
    const framer = new Framer();
    const found = [];
    for (let at = 0; at < stream.length; at += step) {
      found.push(...framer.feed(stream.subarray(at, at + step)));
    }
    assert.deepStrictEqual(found, packets);
  }
  assert.throws(() => new Framer().feed(Buffer.from([255, 255, 255, 255])), RangeError);
});

test("the state folder is where the server keeps it", () => {
  const home = "/home/me";
  assert.strictEqual(stateFolder({ RETAKE_STATE_DIR: "/s" }, "linux", home), "/s");
  assert.strictEqual(stateFolder({}, "linux", home), "/home/me/.local/state/retake");
  assert.strictEqual(stateFolder({ XDG_STATE_HOME: "/x" }, "linux", home), "/x/retake");
  const mac = "/home/me/Library/Application Support/retake";
  assert.strictEqual(stateFolder({}, "darwin", home), mac);
});
