// The API of the port that this page came from. Paths are relative, so that a proxy may serve the page under another one.

const KEPT = 'staged-jobs-token';
const PATIENCE_MILLIS = 20_000;

/** An answer other than 200: the API's words for a person. */
export class Refused extends Error {
  constructor(status, words, retryAfter) {
    super(words);
    this.status = status;
    this.retryAfterSeconds = retryAfter;
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

/** Lets through what the API said, or that it said nothing; a mistake of this page goes to the console. */
export function requireFromApi(e) {
  if (!(e instanceof Refused || e instanceof Unreachable)) throw e;
}

/** The token lives as long as this tab or, where the browser stores nothing, as long as this page. */
let held = stored(() => sessionStorage.getItem(KEPT));

function stored(access) {
  try {
    return access();
  } catch {
    return null;
  }
}

export function token() {
  return held;
}

export function useToken(given) {
  held = given || null;
  stored(() => held ? sessionStorage.setItem(KEPT, held) : sessionStorage.removeItem(KEPT));
}

async function ask(path, options) {
  const headers = {...options.headers};
  if (token()) headers.Authorization = 'Bearer ' + token();
  let answer;
  let text;
  try {
    answer = await fetch('api/v1/' + path, {...options, headers, cache: 'no-store', credentials: 'omit'});
    text = await answer.text();
  } catch (e) {
    throw new Unreachable(e.name === 'TimeoutError' ? 'no answer in time' : 'no connection');
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused(answer.status, `the answer is no JSON (HTTP ${answer.status}); is another server in between?`);
  }
  if (!answer.ok) {
    throw new Refused(answer.status, String(value.error), Number(answer.headers.get('Retry-After')) || 0);
  }
  return value;
}

/** Parameters that are empty are left out. */
export function get(path, parameters = {}) {
  const query = new URLSearchParams();
  Object.entries(parameters).forEach(([name, value]) => {
    if (value !== '' && value !== null && value !== undefined) query.set(name, value);
  });
  const asked = query.size ? `${path}?${query}` : path;
  return ask(asked, {signal: AbortSignal.timeout(PATIENCE_MILLIS)});
}

/** Waits as long as the change takes. */
export function post(path, body) {
  return ask(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
}
