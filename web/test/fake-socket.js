/** A WebSocket without a network: remembers what was sent, and a test plays the server. */
export class FakeSocket {
  /** Every socket since the last `reset`, oldest first. @type {FakeSocket[]} */
  static all = [];
  static reset() {
    FakeSocket.all = [];
  }
  /** The newest one. */
  static get last() {
    return FakeSocket.all[FakeSocket.all.length - 1];
  }

  readyState = 0;
  binaryType = 'blob';
  /** What the client said, parsed. @type {any[]} */
  sent = [];
  /** The same as text. @type {string[]} */
  texts = [];
  /** @type {((event: {data: any}) => void) | null} */
  onmessage = null;
  /** @type {((event: {code: number, reason: string}) => void) | null} */
  onclose = null;

  /** @param {string} url @param {string} protocol */
  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
    FakeSocket.all.push(this);
  }

  /** @param {string} text */
  send(text) {
    this.texts.push(text);
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 2;
  }

  // What follows is the server's side.

  /** Accepts, and says a message. @param {object} message */
  say(message) {
    this.readyState = 1;
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** @param {ArrayBuffer} data */
  deliver(data) {
    this.onmessage?.({ data });
  }

  /** @param {number} code */
  hangUp(code, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** The tags of what the client said, pings left out. */
  get tags() {
    return this.sent.map(({ t }) => t).filter((t) => t !== 'ping');
  }

  /** Pings that the client sent. */
  get pings() {
    return this.sent.filter(({ t }) => t === 'ping');
  }
}
