/** A clock that a test moves by hand. */
export class FakeClock {
  #nowUs = 0;
  /** @type {{atUs: number, task: () => void}[]} */
  #tasks = [];

  nowUs = () => this.#nowUs;

  /** @type {import('../core/clock.js').Clock['after']} */
  after = (delayMs, task) => {
    const entry = { atUs: this.#nowUs + delayMs * 1000, task };
    this.#tasks.push(entry);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== entry);
    };
  };

  /** Timers that wait. */
  get pending() {
    return this.#tasks.length;
  }

  /** Milliseconds until the next timer, null without one. */
  get nextMs() {
    return this.#tasks.length === 0 ? null : (Math.min(...this.#tasks.map(({ atUs }) => atUs)) - this.#nowUs) / 1000;
  }

  /** Runs what is due on the way, in order. @param {number} ms */
  advance(ms) {
    const untilUs = this.#nowUs + ms * 1000;
    for (;;) {
      const due = this.#tasks.filter(({ atUs }) => atUs <= untilUs).sort((a, b) => a.atUs - b.atUs)[0];
      if (!due) break;
      this.#tasks = this.#tasks.filter((other) => other !== due);
      this.#nowUs = due.atUs;
      due.task();
    }
    this.#nowUs = untilUs;
  }
}
