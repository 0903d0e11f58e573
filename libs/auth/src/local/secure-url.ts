import { isLoopback } from '@ajs/platform';

/** Whether nobody on the way can change what is read there: `https:`, or `http:` within this machine. It must hold no login. */
export function isSecureUrl({ protocol, hostname, username, password }: URL): boolean {
  if (username + password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** Whether what a secure document refers to is as secure as the document: only one that came by `http:` may refer to `http:`. */
export function isAsSecure(url: URL, document: URL): boolean {
  return isSecureUrl(url) && (url.protocol === 'https:' || document.protocol === 'http:');
}
