import { msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import { callerGone, type Caller } from '../caller.js';
import type { Admission } from '../load/admission.js';
import { RpcError } from '../rpc-error.js';
import type { CallListener, GrpcCall } from './grpc-call.js';
import type { ReceivedMessage } from './message-reader.js';
import { framed } from './response.js';
import type { UnaryMethod, UnaryOutcome, UnaryReply } from './unary-method.js';

/** In the place of a request that is being answered. */
const TAKEN: ReceivedMessage = { isCompressed: false, bytes: Buffer.alloc(0) };
const NO_LISTENERS: readonly (() => void)[] = [];

export interface UnaryCallsOptions {
  readonly access: Pick<Access, 'authenticate' | 'keyOf'>;
  readonly admission: Pick<Admission, 'enter' | 'leave' | 'run' | 'waiting'>;
}

/**
 * A call of a unary method of ours. In this order: the headers authenticate its caller; the request comes, as bytes; the call is admitted;
 * the request is decompressed, counted, decoded and answered. An error at any stage is the method's to answer.
 */
export class UnaryCall implements CallListener {
  private readonly caller: Caller;
  private request: ReceivedMessage | undefined;
  private isComplete = false;
  private isAuthenticated = false;
  private isAnswered = false;
  private goneListeners: readonly (() => void)[] = NO_LISTENERS;

  constructor(
    private readonly method: UnaryMethod,
    private readonly call: GrpcCall,
    private readonly options: UnaryCallsOptions,
  ) {
    const { key, address, certificateName, authorization } = call.caller;
    const { deadline } = call;
    const isGone = (): boolean => call.isOver;
    // Few listen, some for minutes: a new array takes no more than it has, where `push` makes room for seventeen.
    const whenGone = (listener: () => void): void =>
      void (this.goneListeners = [...this.goneListeners, listener]);
    const admitted = undefined;
    this.caller = { key, deadline, isGone, whenGone, address, certificateName, authorization, admitted };
  }

  run(): void {
    try {
      const pending = this.method.isPublic ? undefined : this.options.access.authenticate(this.caller);
      this.call.start(this);
      // The verdict is awaited while the bytes come: they are paid for, and nobody looks at them.
      if (pending === undefined) this.isAuthenticated = true;
      else this.await(pending);
      this.call.startRead();
    } catch (error) {
      this.fail(error);
    }
  }

  onMessage(message: ReceivedMessage): void {
    if (this.request !== undefined) {
      this.fail(
        new RpcError(status.UNIMPLEMENTED, 'this method takes one request message, and the call has more'),
      );
      return;
    }
    this.request = message;
    this.call.keep(message.bytes.length);
    this.call.awaitRequest();
    this.call.startRead();
  }

  onHalfClose(): void {
    this.isComplete = true;
    this.work();
  }

  onProblem(error: RpcError): void {
    this.fail(error);
  }

  onCancel(): void {
    for (const listener of this.goneListeners) listener();
    // It is counted as that, whatever the work on it comes to.
    this.fail(callerGone(this.caller));
  }

  private await(verdict: Promise<void>): void {
    const { admission } = this.options;
    admission
      .run(this.caller, () => admission.waiting(this.caller, () => verdict))
      .then(
        () => {
          this.isAuthenticated = true;
          this.work();
        },
        (error: unknown) => this.fail(error),
      );
  }

  private work(): void {
    const { request } = this;
    if (!this.isComplete || !this.isAuthenticated || this.isAnswered) return;
    if (request === undefined) {
      this.fail(
        new RpcError(status.UNIMPLEMENTED, 'this method takes a request message, and the call has none'),
      );
      return;
    }
    try {
      if (!this.method.isPublic) this.options.admission.enter(this.caller);
    } catch (error) {
      this.fail(error);
      return;
    }
    // A call may go on for minutes, for which its bytes would keep what was read from the network with them.
    this.request = TAKEN;
    const outcome = this.outcomeOf(request);
    if (outcome instanceof Promise) {
      outcome.then(
        (reply) => this.worked(reply),
        (error: unknown) => this.worked(this.method.failed(error)),
      );
    } else this.worked(outcome);
  }

  private outcomeOf(request: ReceivedMessage): UnaryOutcome<unknown> | Promise<UnaryReply<unknown>> {
    try {
      return this.answer(request);
    } catch (error) {
      return this.method.failed(error);
    }
  }

  private answer({
    isCompressed,
    bytes,
  }: ReceivedMessage): UnaryReply<unknown> | Promise<UnaryReply<unknown>> {
    if (!isCompressed) return this.method.answer(this.decoded(bytes), this.caller);
    return this.call
      .decompress(bytes)
      .then((content) => this.method.answer(this.decoded(content), this.caller));
  }

  private worked(outcome: UnaryOutcome<unknown>): void {
    if (!this.method.isPublic) this.options.admission.leave(this.caller);
    this.end(outcome);
  }

  private decoded(content: Buffer): unknown {
    try {
      this.method.check?.(content);
      return this.method.definition.requestDeserialize(content);
    } catch (error) {
      if (error instanceof RpcError) throw error;
      throw new RpcError(status.INVALID_ARGUMENT, `cannot decode the request: ${(error as Error).message}`);
    }
  }

  private fail(error: unknown): void {
    if (!this.isAnswered) this.end(this.method.failed(error));
  }

  private end(outcome: UnaryOutcome<unknown>): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    try {
      this.send(outcome);
      this.method.answered?.(outcome, msBetween(this.call.began, monotonicNow()) / 1_000);
    } catch (error) {
      // The response may not be held in memory.
      this.isAnswered = false;
      this.fail(error);
    }
  }

  private send(outcome: UnaryOutcome<unknown>): void {
    if (outcome instanceof RpcError) {
      this.call.sendStatus(outcome);
      return;
    }
    this.call.keep(0);
    const { response, trailers, frame } = outcome;
    if (response === undefined) {
      this.call.sendStatus({ code: status.OK, details: '' });
      return;
    }
    const { responseSerialize } = this.method.definition;
    this.call.sendLast(frame ?? framed(responseSerialize(response)), trailers);
  }
}
