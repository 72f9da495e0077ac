// OSC 1.0's size prefix: each packet of a stream behind its length.
"use strict";

const MAX_FRAME_BYTES = 256 * 2 ** 20;

function frame(packet) {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(packet.length);
  return Buffer.concat([size, packet]);
}

/** Cuts a stream into packets, however its bytes arrive. */
class Framer {
  constructor() {
    this.chunks = [];
    this.nBytes = 0;
  }

  /** The packets that `data` completes. A RangeError where the stream can't be followed. */
  feed(data) {
    this.chunks.push(data);
    this.nBytes += data.length;
    const packets = [];
    for (let size = this.next(); size !== null && this.nBytes >= 4 + size; size = this.next()) {
      const whole = this.gather();
      packets.push(whole.subarray(4, 4 + size));
      this.chunks = [whole.subarray(4 + size)];
      this.nBytes -= 4 + size;
    }
    return packets;
  }

  /** The next packet's size; null where its prefix isn't there yet. */
  next() {
    if (this.nBytes < 4) return null;
    if (this.chunks[0].length < 4) this.gather();
    const size = this.chunks[0].readUInt32BE(0);
    if (size < 1 || size > MAX_FRAME_BYTES) throw new RangeError(`frame of ${size} bytes`);
    return size;
  }

  // Once a packet, not once a chunk: takes are large.
  gather() {
    this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0];
  }
}

module.exports = { frame, Framer };
