// Made from frames.py by `python -m chat.protocol.schema`; a test fails when this is stale.

export interface Accept {
  type: "accept";
  conversation: string;
  ref?: string | null;
}

export interface Appear {
  type: "appear";
  status: string;
}

export interface Appeared {
  type: "appeared";
  status: string;
  because?: string;
}

export interface Attachment {
  id: string;
  name: string;
  type: string;
  size: number;
  width?: number;
  height?: number;
}

export interface Attend {
  type: "attend";
  socket_pass: string;
}

export interface Attended {
  type: "attended";
  operator: Person;
  status: string;
  offer_seconds?: number;
}

export interface Beat {
  type: "beat";
  ask?: boolean;
}

export interface Card {
  key: string;
  revision: number;
  kind: string;
  title: string;
  number?: string;
  state?: string;
  tone?: string;
  facts?: string[];
  due_at?: string;
  due_label?: string;
  links?: CardLink[];
}

export interface CardLink {
  label: string;
  url: string;
}

export interface Close {
  type: "close";
  conversation: string;
}

export interface Closed {
  type: "closed";
  code: number;
}

export interface ConversationState {
  id: string;
  state: string;
  seq?: number;
  operator?: Person | null;
  department?: string;
  department_name?: string;
  visitor_read?: number;
  operator_read?: number;
  rated?: boolean;
  email?: string;
  started_at?: string;
  first_reply_seconds?: number | null;
}

export interface Counted {
  type: "counted";
  waiting: number;
  online: number;
  oldest_since?: string;
  mine?: number;
}

export interface Decline {
  type: "decline";
  conversation: string;
  ref?: string | null;
}

export interface Done {
  type: "done";
  ref: string;
  conversation?: string;
}

export interface End {
  type: "end";
  conversation: string;
  ref?: string | null;
}

export interface Enroll {
  type: "enroll";
}

export interface Enrolled {
  type: "enrolled";
  token: string;
}

export interface Entry {
  seq: number;
  kind: string;
  at: string;
  author: Person;
  text?: string;
  ref?: string;
  event?: string;
  data?: Record<string, any>;
  card?: Card | null;
  after?: number;
  html?: string;
  files?: Attachment[];
}

export interface Fetch {
  type: "fetch";
  conversation: string;
  after?: number | null;
  before?: number | null;
  stream?: string;
}

export interface Hello {
  type: "hello";
  site: string;
  token?: string | null;
  conversation?: string | null;
  last_seen?: number;
  locale?: string;
  time_zone?: string;
  page?: Page | null;
}

export interface Keep {
  type: "keep";
  conversation: string;
  mode: string;
  text?: string;
}

export interface Leave {
  type: "leave";
  ref: string;
  email: string;
  text?: string;
  name?: string;
  department?: string;
  conversation?: string | null;
  page?: Page | null;
  files?: string[];
}

export interface Listed {
  type: "listed";
  conversation: string;
  state: string;
  html: string;
  operator?: string;
  waiting_since?: string;
  at?: string;
  priority?: number;
  version?: number;
  unread?: number;
}

export interface Note {
  type: "note";
  ref: string;
  text: string;
  conversation: string;
}

export interface Noted {
  type: "noted";
  conversation: string;
  entries: Entry[];
}

export interface Nudged {
  type: "nudged";
  topic: string;
  id?: string;
}

export interface Offered {
  type: "offered";
  conversation: string;
  seconds: number;
  html: string;
}

export interface Open {
  type: "open";
  conversation: string;
  last_seen?: number;
  last_note?: number;
}

export interface Page {
  url?: string;
  title?: string;
  referrer?: string;
}

export interface Paged {
  type: "paged";
  conversation: string;
  stream: string;
  entries: Entry[];
  more?: boolean;
  reset?: boolean;
  earlier?: boolean;
  back?: boolean;
}

export interface Person {
  kind: string;
  name?: string;
  id?: string;
}

export interface Polled {
  type: "polled";
  state: string;
}

export interface Queued {
  type: "queued";
  conversation: string;
  position: number;
  wait_seconds?: number | null;
}

export interface Rate {
  type: "rate";
  conversation: string;
  score: number;
  text?: string;
}

export interface Read {
  type: "read";
  conversation: string;
  seq: number;
}

export interface Refused {
  type: "refused";
  code: string;
  message: string;
  ref?: string;
  conversation?: string;
  retry?: boolean;
  retry_after?: number;
}

export interface Retired {
  type: "retired";
  after: number;
}

export interface Said {
  type: "said";
  conversation: string;
  entries: Entry[];
}

export interface Say {
  type: "say";
  ref: string;
  text: string;
  conversation: string;
  files?: string[];
}

export interface Seen {
  type: "seen";
  conversation: string;
  by: string;
  seq: number;
}

export interface Staff {
  online?: number;
  names?: string[];
  reply_p50?: number | null;
  reply_p90?: number | null;
}

export interface Staffed {
  type: "staffed";
  staff: Staff;
}

export interface Start {
  type: "start";
  ref: string;
  text: string;
  name?: string;
  email?: string;
  department?: string;
  page?: Page | null;
  files?: string[];
}

export interface Started {
  type: "started";
  ref: string;
  conversation: ConversationState;
}

export interface Take {
  type: "take";
  ref: string;
  conversation?: string | null;
}

export interface Transfer {
  type: "transfer";
  ref: string;
  conversation: string;
  note: string;
  operator?: string | null;
  department?: string | null;
}

export interface Type {
  type: "type";
  conversation: string;
  typing?: boolean;
}

export interface Typed {
  type: "typed";
  conversation: string;
  typing: boolean;
  by: Person;
}

export interface Viewed {
  type: "viewed";
  conversation: string;
  operators: Person[];
}

export interface Visit {
  type: "visit";
  page: Page;
}

export interface Welcomed {
  type: "welcomed";
  known: boolean;
  staff: Staff;
  conversation?: ConversationState | null;
  name?: string;
  email?: string;
}

export interface Withdrawn {
  type: "withdrawn";
  conversation: string;
  because: string;
}

export type VisitorFrame = Hello | Enroll | Start | Say | Leave | Type | Read | Fetch | Visit | End | Rate | Beat;

export type OperatorFrame = Attend | Open | Close | Say | Note | Type | Read | Fetch | Accept | Decline | Take | Transfer | End | Appear | Keep | Beat;

export type ToVisitor = Welcomed | Enrolled | Started | Said | Paged | Typed | Seen | Queued | Staffed | Refused | Retired | Beat | Polled | Closed;

export type ToOperator = Attended | Said | Noted | Paged | Typed | Seen | Listed | Offered | Withdrawn | Viewed | Counted | Done | Appeared | Nudged | Refused | Retired | Beat | Polled | Closed;
