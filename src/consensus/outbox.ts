/**
 * One end of the thread boundary. What is said within one turn of the event loop crosses as one message,
 * in order: under load a wake-up and a serialisation are paid once for hundreds of proposals.
 */

export class Outbox<Message> {
  readonly #deliver: (batch: readonly Message[], buffers: readonly ArrayBuffer[]) => void;
  #messages: Message[] = [];
  #buffers: ArrayBuffer[] = [];

  /** `deliver` hands a batch to the other thread, and with it the ownership of `buffers`. */
  constructor(deliver: (batch: readonly Message[], buffers: readonly ArrayBuffer[]) => void) {
    this.#deliver = deliver;
  }

  post(message: Message, buffer: ArrayBuffer | null = null): void {
    if (this.#messages.length === 0) process.nextTick(() => this.flush());
    this.#messages.push(message);
    if (buffer !== null) this.#buffers.push(buffer);
  }

  /** Before the port closes; else it happens by itself. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    const buffers = this.#buffers;
    this.#messages = [];
    this.#buffers = [];
    this.#deliver(messages, buffers);
  }
}
