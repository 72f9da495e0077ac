// OSC 1.0 packets to messages and back. Bytes in, messages out; no sockets.
"use strict";

const BUNDLE = Buffer.from("#bundle\0");
const MAX_DEPTH = 8;

/** The packet of a message. Whole numbers travel as int64, others as doubles. */
function encode(address, values) {
  const parts = values.map(encodeValue);
  const tags = "," + parts.map(([tag]) => tag).join("");
  return Buffer.concat([text(address), text(tags), ...parts.map(([, data]) => data)]);
}

function encodeValue(value) {
  if (typeof value === "string") return ["s", text(value)];
  if (value instanceof Uint8Array) return ["b", blob(value)];
  if (typeof value === "boolean") value = Number(value);
  const data = Buffer.alloc(8);
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    data.writeBigInt64BE(BigInt(value));
    return ["h", data];
  }
  if (typeof value !== "number") throw new TypeError(`${value} is no text, number or bytes`);
  data.writeDoubleBE(value);
  return ["d", data];
}

function text(string) {
  const data = Buffer.from(string.replace(/\0/g, "?"), "utf8");
  return Buffer.concat([data, Buffer.alloc(4 - (data.length % 4))]);
}

function blob(data) {
  const size = Buffer.alloc(4);
  size.writeInt32BE(data.length);
  return Buffer.concat([size, data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}

/** The messages of a packet as {address, args}; bundles flattened. A RangeError where it isn't OSC. */
function decode(packet, depth = 0) {
  if (packet.subarray(0, BUNDLE.length).equals(BUNDLE)) return decodeBundle(packet, depth);
  const reader = new Reader(packet);
  const address = reader.text();
  const args = [...reader.text().slice(1)].map((tag) => reader.value(tag));
  return [{ address, args }];
}

function decodeBundle(packet, depth) {
  if (depth === MAX_DEPTH) throw new RangeError("bundles nested too deep");
  const messages = [];
  for (let at = 16; at < packet.length; ) {
    const size = packet.readInt32BE(at);
    at += 4;
    if (size <= 0 || at + size > packet.length) throw new RangeError(`element of ${size} bytes`);
    messages.push(...decode(packet.subarray(at, at + size), depth + 1));
    at += size;
  }
  return messages;
}

class Reader {
  constructor(packet) {
    this.packet = packet;
    this.at = 0;
  }

  take(nBytes) {
    const from = this.at;
    if (nBytes < 0 || from + nBytes > this.packet.length) throw new RangeError("cut short");
    this.at += nBytes;
    return from;
  }

  text() {
    const end = this.packet.indexOf(0, this.at);
    if (end < 0) throw new RangeError("text without its end");
    const from = this.take(Math.floor((end - this.at) / 4) * 4 + 4);
    return this.packet.toString("utf8", from, end);
  }

  value(tag) {
    if (tag === "s") return this.text();
    if (tag === "i") return this.packet.readInt32BE(this.take(4));
    if (tag === "f") return this.packet.readFloatBE(this.take(4));
    if (tag === "d") return this.packet.readDoubleBE(this.take(8));
    if (tag === "h") return long(this.packet.readBigInt64BE(this.take(8)));
    if (tag === "b") {
      const size = this.packet.readInt32BE(this.take(4));
      const from = this.take(size);
      this.take((4 - (size % 4)) % 4);
      return this.packet.subarray(from, from + size);
    }
    const constants = { T: true, F: false, N: null, I: true };
    if (tag in constants) return constants[tag];
    throw new RangeError(`type tag ${tag}`);
  }
}

/** A Number where it holds the value exactly, else the BigInt. */
function long(value) {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

module.exports = { encode, decode };
