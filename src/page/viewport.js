// Keeps the page within the space that a phone's on-screen keyboard leaves free. Some browsers lay
// the keyboard over the page and change only the visual viewport.

const root = document.documentElement;

/** Follows the visual viewport from now on. */
export function followViewport() {
  const viewport = window.visualViewport;
  if (!viewport) {
    return;
  }
  const fit = () => {
    // If the reader has zoomed in, they see a part of the page, and nothing is changed.
    const isZoomed = viewport.scale > 1.01;
    const hidden = isZoomed ? 0 : root.clientHeight - viewport.height;
    if (hidden > 1) {
      root.style.setProperty('--height', `${viewport.height}px`);
      root.style.setProperty('--top', `${Math.max(0, viewport.offsetTop)}px`);
    } else {
      root.style.removeProperty('--height');
      root.style.removeProperty('--top');
    }
  };
  viewport.addEventListener('resize', fit);
  viewport.addEventListener('scroll', fit);
  fit();
}
